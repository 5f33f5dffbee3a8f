"""Identity apply: PuLID's half that acts inside FLUX."""
