// A server of Node under moesif-nodejs, with its default settings; waits for the end of its standard input.
const http = require('http');
const moesif = require('moesif-nodejs');

const [url, applicationId, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const bodyOf = (number) => ({ number, text: 'é'.repeat(9600), items: [...Array(100).keys()] });
const middleware = moesif({ applicationId, baseUri: url, identifyUser: () => 42 });
middleware.startCaptureOutgoing(); // where the SDK sends the number as it is

const server = http.createServer((req, res) => middleware(req, res, () => {
  const pieces = [];
  req.on('data', (piece) => pieces.push(piece));
  req.on('end', () => {
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify(bodyOf(Number(req.url.split('/').pop()))));
  });
}));

const call = (number) => new Promise((resolve, reject) => {
  const options = { port: server.address().port, path: `/node/${number}`, method: 'POST' };
  const headers = { 'Content-Type': 'application/json', Host: 'shop.example' };
  const req = http.request({ ...options, headers }, (res) => res.resume().on('end', resolve));
  req.on('error', reject);
  req.end(JSON.stringify(bodyOf(number)));
});

server.listen(0, '127.0.0.1', async () => {
  for (let number = 0; number < count; number += 1) await call(number);
  await middleware.updateUser({ userId: 'ann', companyId: 'acme', metadata: { plan: 'free', seats: { paid: 1 } } });
  await middleware.updateUser({ userId: 'ann', metadata: { plan: 'gold' } });
  await middleware.updateUsersBatch([{ userId: 'bob' }, { userId: 'eve', metadata: { x: null } }]);
  await middleware.updateCompany({ companyId: 'acme', companyDomain: 'acme.example', metadata: { size: 9 } });
  await middleware.updateUser({ userId: 42 });
  await middleware.updateCompaniesBatch([{ companyId: 'other' }]);
  await middleware.updateSubscription({ subscriptionId: 's1', companyId: 'acme', status: 'active' });
  await middleware.sendAction({ actionName: 'Clicked', userId: 'ann', request: { uri: 'https://shop.example/cart' } });
  await middleware.sendActionsBatch([
    { transactionId: 'once', actionName: 'Paid', userId: 'ann', request: { uri: 'https://shop.example/pay' } },
    { transactionId: 'once', actionName: 'Paid', userId: 'ann', request: { uri: 'https://shop.example/pay' } },
  ]);
  console.log('sent');
  process.stdin.resume().on('end', () => process.exit(0));
});
