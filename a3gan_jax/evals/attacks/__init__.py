"""Would a determined attacker get the people back? One file an attack."""
