"""The system on one machine: real Kafka and MongoDB, and every service as a child process."""
