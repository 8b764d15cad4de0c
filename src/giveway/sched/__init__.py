"""Pure decisions: tasks and events as values, policies, the scheduler between host and policy."""
