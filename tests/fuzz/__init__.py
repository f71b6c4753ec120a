"""Structured requests in thousands: nothing ends in a 5xx, and nothing goes unaccounted for."""
