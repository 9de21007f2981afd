console.log('starting');

const url = process.env.DATABASE_URL_THAT_NOBODY_SET;
if (!url) {
  console.error('Error: DATABASE_URL_THAT_NOBODY_SET is not set');
  process.exit(3);
}
