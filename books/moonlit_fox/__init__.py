"""The Moonlit Fox: a star has fallen, and a child and a fox carry it home."""
