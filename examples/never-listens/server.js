// Alive until told to end, with nothing to connect to.
const work = setInterval(() => console.log('still getting ready'), 1_000);
process.on('SIGTERM', () => clearInterval(work));
