// tls_front.js - ends TLS in front of a server on loopback.
//
//     node tls_front.js KEY CERTIFICATE PORT       prints "port N"; bytes go on to 127.0.0.1:PORT as they come
'use strict';

const fs = require('fs');
const net = require('net');
const tls = require('tls');

const [key, certificate, port] = process.argv.slice(2);

const server = tls.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(certificate) }, client => {
  const behind = net.connect(Number(port), '127.0.0.1');
  for (const [from, to] of [[client, behind], [behind, client]]) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
});
server.on('tlsClientError', () => {}); // a client that does not believe the certificate
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
