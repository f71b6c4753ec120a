"""What maintains this repository; no part of any distribution."""
