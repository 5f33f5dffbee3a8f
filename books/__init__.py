"""Story books: their texts as data, and the hand that paints their sample art."""
