"""Letters as files in a folder: for one machine, and to look at them."""

from datetime import UTC
from email.headerregistry import Address
from pathlib import Path

from gateway.mail_message import internet_message
from gateway.ports import Clock, Mail, MailError
from storage.errors import StoreError
from storage.folder import FolderStore


class MailOutbox:
    """Writes each letter as ``{message_id}.eml``, whole or not at all. A letter that is there
    already isn't written again: the first one stays."""

    def __init__(self, directory: Path, from_: Address, clock: Clock) -> None:
        self._folder = FolderStore(directory)
        self._from = from_
        self._clock = clock

    def send(self, mail: Mail) -> None:
        """Write the letter.

        Raises:
            MailRefused: the address is malformed; MailError: the folder can't be written to.
        """
        message = internet_message(mail, self._from, self._clock.now().astimezone(UTC))
        try:
            self._folder.put_new(f"{mail.message_id}.eml", message.as_bytes(), "message/rfc822")
        except StoreError as error:
            raise MailError(f"the outbox failed: {type(error).__name__}") from error

    def ping(self) -> None:
        """Check that the folder can be written to.

        Raises:
            MailError.
        """
        try:
            self._folder.ping()
        except StoreError as error:
            raise MailError(f"the outbox failed: {type(error).__name__}") from error
