// A real OpenID provider for the sign-in tests: npm's oidc-provider, with people of its own and a switch that spoils
// the next ID token in one named way. Usage: node provider.mjs FOLDER_OF_NODE_MODULES PORT CALLBACK AFTER_LOGOUT
import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [modules, port, callback, afterLogout] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${modules}/${path}`));
const { Provider } = await load('oidc-provider/lib/index.js');
const jose = await load('jose/dist/webapi/index.js');

const issuer = `http://127.0.0.1:${port}`;
const pair = await jose.generateKeyPair('RS256', { extractable: true });
const key = { ...(await jose.exportJWK(pair.privateKey)), kid: 'first', use: 'sig', alg: 'RS256' };
const foreign = await jose.generateKeyPair('RS256');
const GROUPS = { alice: ['Engineering', 'Everyone'], bob: ['AWS Approvers'], nobody: [] };
let spoil = {};
const PUBLIC_PEM = await jose.exportSPKI(pair.publicKey);

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: [{
    client_id: 'hoopweb',
    client_secret: 'a secret of the provider: +/%',
    redirect_uris: [callback],
    post_logout_redirect_uris: [afterLogout],
  }],
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, email: `${id}@acme.example`, groups: GROUPS[id] ?? [] }),
  }),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});

async function spoiled(token, how, access) {
  const claims = { ...jose.decodeJwt(token), ...how.claims };
  for (const name of how.without ?? []) delete claims[name];
  const header = { alg: 'RS256', kid: 'first', ...how.header };
  if (how.at_hash_of) claims.at_hash = createHash('sha256').update(how.at_hash_of).digest().subarray(0, 16).toString('base64url');
  if (header.alg === 'none') return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${token.split('.')[1]}.`;
  // The classic confusion: the public key, which everybody has, used as a shared secret.
  const secret = header.alg === 'HS256' ? new TextEncoder().encode(PUBLIC_PEM) : how.foreign_key ? foreign.privateKey : pair.privateKey;
  return new jose.SignJWT(claims).setProtectedHeader(header).sign(secret);
}

provider.use(async (ctx, next) => {
  if (ctx.path === '/spoil') {
    spoil = JSON.parse(Buffer.concat(await ctx.req.toArray()).toString() || '{}');
    ctx.status = 204;
    return;
  }
  if (spoil.hang && ctx.path === spoil.hang) await new Promise((resolve) => { setTimeout(resolve, 60_000).unref(); });
  if (spoil.redirect && ctx.path === spoil.redirect) {
    ctx.redirect('http://127.0.0.1:1/');
    return;
  }
  if (spoil.fail && ctx.path === spoil.fail) {
    ctx.status = 500;
    ctx.body = 'broken';
    return;
  }
  await next();
  if (ctx.path === '/me' && spoil.userinfo_sub) ctx.body = { ...ctx.body, sub: spoil.userinfo_sub };
  if (ctx.path === '/token' && ctx.body?.id_token && spoil.token) {
    ctx.body = { ...ctx.body, id_token: await spoiled(ctx.body.id_token, spoil.token, ctx.body.access_token) };
  }
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
