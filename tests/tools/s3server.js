// s3server.js - the npm package s3rver, made as strict as S3 in what ripcord relies on.
//
//     node s3server.js MODULES FOLDER BUCKET [PORT]       MODULES has s3rver; prints "port N"
//
// s3rver 3.7.1 takes any Version 4 signature, checks no payload, and knows neither AbortMultipartUpload nor
// ListMultipartUploads nor ListParts.  Here the signature is computed again, from the request as it came in, the
// body's SHA-256 and MD5 are compared, and those three are there.  Keys: S3RVER, S3RVER; a session token, where one
// is sent, must be "token".  In the folder FOLDER/BUCKET/._S3rver_uploads lies a folder for each open upload.
'use strict';

const { createHash, createHmac } = require('crypto');
const fs = require('fs');
const path = require('path');
const { Readable } = require('stream');

const [modules, folder, bucketName, port] = process.argv.slice(2);
const S3rver = require(path.join(modules, 's3rver'));
const S3Error = require(path.join(modules, 's3rver/lib/models/error'));

const SECRETS = { S3RVER: 'S3RVER' };

const sha256 = data => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();
const encode = text =>
  encodeURIComponent(text).replace(/[!'()*]/g, c => '%' + c.charCodeAt(0).toString(16).toUpperCase());
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function canonicalQuery(raw) {
  return raw
    .split('&')
    .filter(Boolean)
    .map(pair => {
      const at = pair.indexOf('=');
      const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value))];
    })
    .sort((a, b) => byBytes(a[0], b[0]) || byBytes(a[1], b[1]))
    .map(pair => pair.join('='))
    .join('&');
}

function checkSignature(req) {
  const header = req.headers.authorization || '';
  const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8}\/[^/]+\/s3\/aws4_request), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(header);
  if (!found) throw new S3Error('AccessDenied', 'The request is not signed.');
  const [, keyId, scope, names, signature] = found;
  const secret = SECRETS[keyId];
  if (!secret) throw new S3Error('InvalidAccessKeyId', 'No such key.');
  const signed = names.split(';');
  const needed = Object.keys(req.headers).filter(name => name === 'host' || name === 'content-md5' || name.startsWith('x-amz-'));
  const missing = needed.filter(name => !signed.includes(name));
  if (missing.length || names !== signed.slice().sort(byBytes).join(';'))
    throw new S3Error('SignatureDoesNotMatch', `Headers are not signed, or not in order: ${missing.join()}.`);
  const [rawPath, rawQuery] = req.url.split(/\?(.*)/s);
  const canonical = [
    req.method,
    rawPath.split('/').map(part => encode(decodeURIComponent(part))).join('/'),
    canonicalQuery(rawQuery || ''),
    ...signed.map(name => `${name}:${(req.headers[name] || '').trim().replace(/ +/g, ' ')}`),
    '',
    names,
    req.headers['x-amz-content-sha256'],
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', req.headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce((k, part) => hmac(k, part), 'AWS4' + secret);
  if (hmac(key, text).toString('hex') !== signature || !req.headers['x-amz-date'].startsWith(scope.slice(0, 8)))
    throw new S3Error('SignatureDoesNotMatch', 'The signature we calculated is another one.');
  const token = req.headers['x-amz-security-token'];
  if (token !== undefined && token !== 'token') throw new S3Error('InvalidToken', 'No such token.');
}

async function readBody(req) {
  const pieces = [];
  for await (const piece of req) pieces.push(piece);
  return Buffer.concat(pieces);
}

function checkBody(req, body) {
  const claimed = req.headers['x-amz-content-sha256'];
  if (claimed !== 'UNSIGNED-PAYLOAD' && claimed !== sha256(body))
    throw new S3Error('BadDigest', 'x-amz-content-sha256 is of another body.');
  const md5 = req.headers['content-md5'];
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64'))
    throw new S3Error('BadDigest', 'Content-MD5 is of another body.');
  if (req.method === 'PUT' && md5 === undefined && claimed === 'UNSIGNED-PAYLOAD')
    throw new S3Error('InvalidRequest', 'Nothing protects the body.');
}

const escape = text => text.replace(/[<>&"]/g, c => `&#${c.charCodeAt(0)};`);
const uploadsFolder = () => path.join(folder, bucketName, '._S3rver_uploads');
const uploadFolder = id => path.join(uploadsFolder(), path.basename(id));
// s3rver removes the parts of a completed upload one by one: without `key` it is no upload any more.
const isOpen = id => fs.existsSync(path.join(uploadFolder(id), 'key'));

function listUploads(query) {
  const ids = fs.existsSync(uploadsFolder()) ? fs.readdirSync(uploadsFolder()).filter(isOpen).sort() : [];
  const all = ids
    .map(id => ({ id, file: path.join(uploadFolder(id), 'key') }))
    .map(({ id, file }) => ({ id, key: fs.readFileSync(file, 'utf8'), at: fs.statSync(file).mtime }))
    .filter(u => u.key.startsWith(query.prefix || '') && (!query['upload-id-marker'] || u.id > query['upload-id-marker']));
  const page = all.slice(0, Number(query['max-uploads'] || 1000));
  const cut = page.length < all.length;
  return `<?xml version="1.0"?>\n<ListMultipartUploadsResult><Bucket>${bucketName}</Bucket>${page
    .map(u => `<Upload><Key>${encodeURIComponent(u.key)}</Key><UploadId>${u.id}</UploadId><Initiated>${u.at.toISOString()}</Initiated></Upload>`)
    .join('')}<EncodingType>url</EncodingType><IsTruncated>${cut}</IsTruncated>${
    cut ? `<NextKeyMarker>${escape(page[page.length - 1].key)}</NextKeyMarker><NextUploadIdMarker>${page[page.length - 1].id}</NextUploadIdMarker>` : ''
  }</ListMultipartUploadsResult>`;
}

// What s3rver does not do; true when the request was answered here.
function multipart(ctx) {
  const query = ctx.query;
  if (ctx.method === 'GET' && 'uploads' in query) {
    ctx.type = 'application/xml';
    ctx.body = listUploads(query);
    return true;
  }
  if (!('uploadId' in query)) return false;
  if (!isOpen(query.uploadId)) throw new S3Error('NoSuchUpload', 'The specified upload does not exist.');
  if (ctx.method === 'DELETE') {
    fs.rmSync(uploadFolder(query.uploadId), { recursive: true, force: true });
    ctx.status = 204;
    return true;
  }
  if (ctx.method === 'GET') {
    ctx.type = 'application/xml';
    ctx.body = `<ListPartsResult><UploadId>${query.uploadId}</UploadId></ListPartsResult>`;
    return true;
  }
  return false;
}

const server = new S3rver({
  address: '127.0.0.1',
  port: Number(port || 0),
  silent: true,
  directory: folder,
  serviceEndpoint: 'localhost',
  vhostBuckets: false,
  configureBuckets: [{ name: bucketName }],
});

server.middleware.unshift(async (ctx, next) => {
  const body = await readBody(ctx.req);
  checkSignature(ctx.req);
  checkBody(ctx.req, body);
  if (multipart(ctx)) return;
  ctx.req = Readable.from(body.length ? [body] : []); // s3rver takes the body from here
  if (ctx.get('if-match') && ctx.method === 'GET') {
    await next();
    if (ctx.status < 300 && ctx.response.get('etag') !== ctx.get('if-match'))
      throw new S3Error('PreconditionFailed', 'The object is another one.');
    return;
  }
  await next();
});
server.on('error', () => {}); // they are answers, which the client shows

server.run().then(({ port: bound }) => console.log(`port ${bound}`));
