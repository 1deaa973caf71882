"""What every room needs: files, settings, devices, and what a record says of the machine."""
