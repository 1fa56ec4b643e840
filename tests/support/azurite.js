// Loaded before Azurite: ends it when whoever started it is gone, for then the pipe to it closes.
process.stdin.on("end", () => process.exit(0)).resume();
