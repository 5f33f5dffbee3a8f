"""A stand-in for Stripe in test mode: Checkout Sessions, and the page where they are paid."""
