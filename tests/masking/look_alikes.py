"""Lines that speak of secrets, or look like one, and hold none: code, schemas, logs, manifests, identifiers.

`\\n` stands for a line break, `\\uff1a` for a wide colon.
"""

from __future__ import annotations

_LINES = r"""
password: ${DB_PASSWORD}
password: ${{ secrets.DB_PASSWORD }}
password: {{ .Values.db.password }}
password: "{{ vault_db_password }}"
password = var.db_password
password = data.aws_secretsmanager_secret_version.db.secret_string
password = random_password.db.result
password: !Ref DbPassword
password: !Sub '${DbPassword}'
Password: {Ref: DbPassword}
password: '{{resolve:secretsmanager:prod/db:SecretString:password}}'
password: ""
password: null
password: changeme
password: <password>
password: <YOUR_PASSWORD>
password: your-password-here
password: change_me_please
password: changeme123
password: insertyourpasswordhere
password: put-a-password-here
password: use_an_own_one
"password": {"type": "string", "format": "password", "minLength": 12}
password: string;
password?: string | undefined;
private String password;
String password = getPassword();
final String token = request.getHeader("Authorization");
const token = await getToken();
const password = req.body.password;
let password = process.env.DB_PASSWORD!;
password = os.environ.get("DB_PASSWORD", "")
password = os.environ["X"]
password=os.getenv('DB_PASSWORD')
password := os.Getenv("DB_PASSWORD")
token = Token.objects.get(user=user)
api_key=args.api_key
api_key = config["api_key"]
secret = hmac.new(key, msg, hashlib.sha256).hexdigest()
public void setPassword(String password) {
def password=(value)
if password != confirm_password:
if (password === passwordConfirmation) {
assert user.check_password("x")
validates :password, presence: true, length: { minimum: 8 }
<input type="password" name="password" placeholder="Enter your password" autocomplete="current-password">
<label for="password">Password:</label>
<a href="/account/password/reset?next=/home">Forgot your password?</a>
.form-control.password-field:focus{border-color:#80bdff;box-shadow:0 0 0 .2rem rgba(0,123,255,.25)}
input[type="password"]{-webkit-appearance:none;padding:.375rem .75rem}
!function(e,t){"object"==typeof exports?module.exports=t():e.token=t()}(this,function(){var e={token:1,key:"id"};return e})
function a(t,e){return t.password=e,t.token=null,t}
CREATE TABLE users (id serial primary key, password varchar(255) not null, token text);
ALTER TABLE users ADD COLUMN password_hash character varying(128);
SELECT password FROM users WHERE id = $1;
UPDATE users SET password = $1 WHERE id = $2
INSERT INTO tokens (id, token) VALUES (?, ?)
CREATE USER app WITH PASSWORD :'password';
ALTER USER app WITH PASSWORD '${DB_PASSWORD}';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
SECRET_ARN=arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-a1b2c3
"SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"
"KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
KeyName: my-keypair-2024
"KeyPairId": "key-0123456789abcdef0"
"TokenType": "Bearer"
"NextToken": null
"IdempotencyToken": "550e8400-e29b-41d4-a716-446655440000"
"ETag": "\"9b2cf535f27731c974343645a3985328\""
"requestId": "c2d5a1b0-8e7f-4b11-9a55-3b1f4c5d6e7f"
"integrity": "sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg=="
resolved "https://registry.yarnpkg.com/lodash/-/lodash-4.17.21.tgz#679591c564c3bffaae8454cf0b3df370c3d6911c"
checksum = "f2b29bb5a1b1ddbd2aa8e3e22a8e3ad8e0cf3f1e7a31d4b3b6f2f3d5a1c0e9f8"
github.com/stretchr/testify v1.8.4 h1:CcVxjf3Q8PM0mHUKJCdn+eZZtm5yQwehR5yeSVQQcUk=
"dist": {"shasum": "9f8d3f1c0b1e2a3d4c5b6a7988776655443322ff"}
--hash=sha256:6f62d78e2f89b4500b080fe3a81690850cd254227f27f75c3a0c491a1f351ba7
image: nginx@sha256:4c0fdaa8b6341bfdeca5f18f7837462c80cff90527ee35ef185571e1c327beac
FROM python:3.11-slim@sha256:53d6284a40eae6b625f22870f5faba6c54f2a28db9027408f4dee111f1e885a2
commit 3f786850e387550fdab836ed7e6dc881de23001b
Merge branch 'feature/token-refresh' of github.com:acme/app
index 83db48f..bf269f4 100644
diff --git a/password.py b/password.py
"InstanceId": "i-0abcd1234efgh5678", "ImageId": "ami-0c55b159cbfafe1f0"
"VpcId": "vpc-0bb1c79de3EXAMPLE", "SubnetId": "subnet-9d4a7b6c"
ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7vbqajDhA1yvQmzhLbI1q8Vw5Xj5k bob@laptop
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3v8o0Z1m8m9l0b6p7r5q4s3t2u1v0w9x8y7z6 bob@laptop
client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJrVENC
SHA256:uNiVztksCsDhcc0u9e8BgrJXVGLhuXZAE6bS4M0l3Wk
fingerprint: 43:51:43:a1:b5:fc:8b:b7:0a:3a:a9:b1:0f:66:73:a8
kid: "dGhpcyBpcyBhIGtleSBpZA"
X-Request-Id: 8f14e45f-ceea-467f-9a38-0d2f4f1d3a10
x-amz-request-id: 79104EXAMPLEB723
x-amz-id-2: IOWQ4fDEXAMPLEQM+ey7N9WgVhSnQ6JEXAMPLEZb7hSQDASK+Jd1vEXAMPLEa3Km
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
Set-Cookie: theme=dark; Path=/; Max-Age=31536000
Cookie: lang=en; consent=true; theme=dark
Cache-Control: no-cache, no-store, max-age=0
WWW-Authenticate: Bearer realm="api", error="invalid_token"
WWW-Authenticate: Basic realm="Restricted Area"
Authorization: Bearer <token>
Authorization: Bearer $TOKEN
Authorization: Bearer ${ACCESS_TOKEN}
curl -H "Authorization: Bearer $TOKEN" https://api.example.com/v1
curl -u "$USER:$PASSWORD" https://example.com/
mysql -u root -p app < dump.sql
mysql -u root -p"$MYSQL_PASSWORD" app
psql -U postgres -h localhost -p 5432 -d app
ssh -p 2222 bob@example.com
docker run -p 8080:80 -e DB_PASSWORD nginx
docker run -e DB_PASSWORD=$DB_PASSWORD nginx
redis-cli -a "$REDIS_PASSWORD" ping
kubectl create secret generic db --from-literal=password=$PASS
kubectl get secret db -o jsonpath='{.data.password}' | base64 -d
vault kv get -field=password secret/prod/db
aws secretsmanager get-secret-value --secret-id prod/db/password
export PASSWORD_STORE_DIR=~/.password-store
export SSH_AUTH_SOCK=/run/user/1000/keyring/ssh
IdentityFile ~/.ssh/id_ed25519
ssl_certificate_key /etc/nginx/ssl/server.key;
keystore=/etc/ssl/keystore.jks
password_file: /run/secrets/db_password
POSTGRES_PASSWORD_FILE=/run/secrets/pg
tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
"max_tokens": 4096, "prompt_tokens": 1234, "total_tokens": 2345
"tokens_used": 18231
tokens per second: 45.3
The secret to success is hard work.
Passwords must be at least 12 characters and contain a digit.
Your password will expire in 14 days.
password authentication failed for user "app"
FATAL: password authentication failed for user "postgres"
Failed password for invalid user admin from 203.0.113.7 port 52144 ssh2
pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.1
Access key rotation is due on 2026-03-01
INFO token refreshed for client web-app in 12ms
WARN token expired at 2026-03-04T05:06:07Z, refreshing
DEBUG Loaded key 'user:1234:profile' from cache
ERROR KeyError: 'password_reset_token'
foreign key constraint "fk_orders_user_id" on table "orders"
partition key: tenantId#orderId
sort_key = "ORDER#2026-03-04#0001"
cache_key = f"user:{user_id}:settings"
primary_key: id
"publicKey": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs"
<add key="Logging:Level" value="Information"/>
<add key="MaxRetries" value="5"/>
<setting name="Theme" serializeAs="String"><value>Dark</value></setting>
<key>CFBundleIdentifier</key><string>com.acme.app</string>
<key>CFBundleVersion</key><string>1.2.3</string>
<property name="hibernate.dialect">org.hibernate.dialect.PostgreSQLDialect</property>
<name>fs.defaultFS</name><value>hdfs://nn:8020</value>
- name: LOG_LEVEL\n  value: debug
- name: PASSWORD_MIN_LENGTH\n  value: "12"
- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: db\n      key: password
- name: SECRET_NAME\n  value: prod/db
kind: ConfigMap\nmetadata:\n  name: x\ndata:\n  LOG_LEVEL: debug\n  url: https://x.io
kind: SecretProviderClass\nspec:\n  provider: aws
kind: Secret\nmetadata:\n  name: db\n  namespace: prod
kind: Secret\ndata:\n  password: {{ .Values.password | b64enc }}
variable "db_password" {\n  type = string\n  sensitive = true\n}
variable "token_ttl" {\n  default = "3600"\n}
variable "key_name" {\n  default = "deploy-key"\n}
output "secret_arn" {\n  value = aws_secretsmanager_secret.db.arn\n}
"token_endpoint": "https://login.acme.io/oauth2/v1/token"
"jwks_uri": "https://login.acme.io/.well-known/jwks.json"
"authorization_endpoint": "https://login.acme.io/authorize?response_type=code"
"scope": "openid profile email offline_access"
"client_id": "0oa1b2c3d4e5f6g7h8i9"
"grant_types": ["authorization_code", "refresh_token"]
https://example.com/reset-password?step=2
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords.html
https://user@github.com/acme/app.git
git@github.com:acme/app.git
postgres://localhost:5432/app
postgres://app@db.acme.io:5432/app
mongodb://localhost:27017
redis://cache:6379/0
jdbc:postgresql://db:5432/app?ssl=true
jdbc:oracle:thin:@//db:1521/XE
amqp://guest@localhost/
postgres://${DB_USER}:${DB_PASSWORD}@db/app
http://localhost:8080/?a=b:c@d
sk-learn and sk-image are packages
key-value store, key-press event, key-frame-animation
ghp_ prefix is used by GitHub tokens
xoxb-your-token-here
sk_test_XXXXXXXXXXXXXXXXXXXXXXXX
npm_config_registry=https://registry.npmjs.org
npm_lifecycle_event=test
ghcr.io/acme/app:1.2.3
secret_manager_client = boto3.client("secretsmanager")
hf_hub_download(repo_id="bert-base-uncased", filename="config.json")
order 4155550132 shipped, tracking 1Z999AA10123456784
sku: AB12-CD34-EF56-7890
version: 2026.03.04-alpha.1+build.20260304
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0
2026-03-04T05:06:07.123456Z INFO [main] c.a.s.PasswordEncoderService - encoder=BCrypt strength=12
at com.acme.auth.TokenService.refreshToken(TokenService.java:142)
java.lang.IllegalArgumentException: Invalid token: unexpected character
File "/app/auth/tokens.py", line 42, in verify_token
goroutine 1 [running]: main.main() /app/token.go:12 +0x1d
0x7ffee4c3a9b0 0x00000001000f3c40
std::basic_string<char, std::char_traits<char>>::npos
MAC 00:1B:44:11:3A:B7
session id: 1234
sessionTimeout=30m
auth: required
auth_type: oauth2
credentials: include
"credentials": "same-origin"
credsStore: desktop
secretName: tls-cert
imagePullSecrets:\n- name: regcred
secrets:\n- db_password
tokenReview: true
automountServiceAccountToken: false
pinned: true
pin: false
Shipping to 1600 Pennsylvania Ave NW, pin code 110001
keyboard: us
password protected: yes
Password:
passwd: files systemd
root:x:0:0:root:/root:/bin/bash
bob:!:19000:0:99999:7:::
/etc/passwd /etc/shadow
signature: valid
signatureVersion: v4
Signature Version 4
"signature_algorithm": "sha256WithRSAEncryption"
salt: true
nonce: 42
cookie: enabled
cookie_domain=.acme.io
x-csrf-token: fetch
compareTo(secretA, secretB)
echo "done" | tee out.log
echo "hello" | sudo tee /etc/motd
zip -r out.zip src
7z x archive.7z -oout
net use * /delete
snmpwalk -v2c -c public 10.0.0.1
ldapsearch -x -b dc=acme,dc=io
aws configure set region eu-west-1
htpasswd -c .htpasswd bob
#define MAX_PASSWORD_LENGTH 64
ENV TOKEN_TTL 3600
ENV PATH /usr/local/bin:$PATH
set -euo pipefail
mask password "in the UI" only
label: "Password", type: "password"
t('auth.password.reset')
getByLabelText("Password")
await page.fill('#password', process.env.E2E_PASSWORD)
"passwordLabel": "Password"
"errors": {"password": "is too short", "token": "has expired"}
"secret": false
"hasSecret": true
"api_key_required": true
"apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}
securitySchemes:\n  ApiKeyAuth:\n    type: apiKey\n    in: header\n    name: X-API-Key
paths:\n  /tokens/{token_id}:\n    get:\n      operationId: getToken
"Action": ["secretsmanager:GetSecretValue", "kms:Decrypt"]
"Resource": "arn:aws:secretsmanager:*:*:secret:prod/*"
"Sid": "AllowSecretRead"
CloudWatch log group /aws/lambda/token-service
s3://acme-secrets/prod/db.json
eni-0a1b2c3d4e5f67890 rtb-0123456789abcdef0
arn:aws:iam::123456789012:role/aws-service-role/token.amazonaws.com/AWSServiceRoleForToken
AROAQWERTYUIOPASDFGHI:session-name
EventId 2a4e6f8a-1b3c-5d7e-9f01-23456789abcd
lambda:GetFunction code sha256 3Ol0pZ3+FoRQvM7tRsvQ3XmNwW0xnJ5m4P4T0DkM5fQ=
"CodeSha256": "YFgDgEKG3ugvF1+pX64gV6tu9qNuIYNUdgJm8nCxsm4="
"RevisionId": "873282ed-4cd3-4dc8-a069-d0c647e470c6"
"ContinuationToken": "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="
"LastEvaluatedKey": {"pk": {"S": "USER#123"}, "sk": {"S": "ORDER#456"}}
Das Passwort muss mindestens acht Zeichen haben: Buchstaben, Ziffern.
Passwort vergessen? Hier klicken: https://acme.example/zuruecksetzen
Das Passwort ist abgelaufen.
"passwort": "Passwort"
"passwortLabel": "Passwort eingeben"
La contraseña es obligatoria
La contraseña es incorrecta. Intente: recuperar
"contraseña": "Contraseña"
contraseña: ${DB_PASSWORD}
mot de passe : obligatoire
Le mot de passe est incorrect
senha: os.environ["SENHA"]
Senha: inválida
hasLogin: true
wachtwoord: verplicht
Неверный пароль: попробуйте снова
пароль: обязательно!
パスワード: 必須
パスワードは8文字以上
密码\uff1a不能为空
密码长度为8-16位
비밀번호: 필수
msgid "Password"\nmsgstr "Mot de passe"
auth-pass ${REDIS_PASS}
requirepass ""
# requirepass foobared
password required pam_unix.so sha512 shadow nullok
password sufficient pam_unix.so
Forgot password JohnSmith?
reset-password verification-email
the passphrase: words you will remember for long
passphrase: must have four words at least
mnemonic: a word that helps you to remember things
seed phrase: write it down and keep it safe somewhere
-----BEGIN PGP MESSAGE-----
openssl enc -aes-256-cbc -pass env:PASS -in a
openssl req -newkey rsa:4096 -passout file:pass.txt
openssl dgst -sha256 a.txt
os.environ.get("DB_PASSWORD", "")
os.getenv("AWS_REGION", "eu-central-1")
getenv("TOKEN_ENDPOINT", "https://login.acme.example/token")
config.get("password_policy", "strict")
password = process.env.DB_PASSWORD || ''
password: process.env.DB_PASSWORD || getPassword()
${DB_PASSWORD:?must be set}
${DB_PASSWORD:-}
${DB_PASSWORD:-$OTHER_PASSWORD}
${SECRET_NAME:-prod/db/main}
${PASSWORD_FILE:-/run/secrets/db}
${db.password:changeme}
zookeeper digest algorithm: sha-256
md5sum d41d8cd98f00b204e9800998ecf8427e a.txt
db-us12 cluster-us1.acme.example
version 1/1234567890123456
""".strip()
LEFT_ALONE = tuple(line.replace("\\n", "\n").replace("\\uff1a", "\uff1a") for line in _LINES.splitlines())
