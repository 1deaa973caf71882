"""What came out of a training (lessons 06 and 07): figures, attention maps, snapshots."""
