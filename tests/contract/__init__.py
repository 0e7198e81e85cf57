"""Properties that every entry of a registry must have, present and future."""
