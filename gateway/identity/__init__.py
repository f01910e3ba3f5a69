"""Identity: people, agents, workloads and the keys they hold."""
