"""What ``giveway doctor`` examines, and what it found."""
