// slow_link.js - a TCP port whose bytes take their time to a Unix socket and back: a network far away.
//
//     node slow_link.js SOCKET MS      each way MS milliseconds; prints the port of 127.0.0.1, goes on until it is killed
'use strict';
const net = require('node:net');

const [, , path, ms] = process.argv;

// Timers of the same delay fire in the order in which they were set, so bytes stay in theirs.
function carry(from, to) {
  from.on('data', (bytes) => setTimeout(() => to.write(bytes), Number(ms)));
  from.on('end', () => setTimeout(() => to.end(), Number(ms)));
  from.on('error', () => to.destroy());
}

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const upstream = net.connect({ path, allowHalfOpen: true });
  carry(client, upstream);
  carry(upstream, client);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
