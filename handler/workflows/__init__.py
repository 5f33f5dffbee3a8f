"""What makes workflow files fit to be released: checks, releases, differences in words."""
