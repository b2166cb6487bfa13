//! End-to-end tests over real processes and real databases, and their support code.
