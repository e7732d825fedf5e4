"""The queue: what is published to RabbitMQ and read from it, through every outage of either side."""
