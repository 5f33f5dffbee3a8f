"""What the images are made of: locks, licences, the bill of materials, the wheel."""
