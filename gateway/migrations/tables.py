"""All tables of the gateway: each module that has records is imported here."""

from sqlalchemy import MetaData

from gateway import order_records, records, shops

METADATA: MetaData = records.Record.metadata

# Importing them is what fills METADATA.
_ = (order_records, shops)
