"""Formats of other people's making: where files, tools and services keep secrets, and what in them is none.

Values are drawn anew from a seed: nothing here can be learnt by heart. `§` is where the value stands.
"""

from __future__ import annotations

import base64
from random import Random

import pytest

from gateway.masking.content import ContentScanner
from tests.masking.look_alikes import LEFT_ALONE

ANY = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX, SMALL, CAPITAL = "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _drawn(random: Random, alphabet: str, size: int) -> str:
    return "a1B"[: 3 * (alphabet == ANY)] + "".join(random.choices(alphabet, k=size - 3 * (alphabet == ANY)))


# A value: words stand for themselves, `{a12}` for twelve signs of any sort, h for hexadecimal, s small, c capital.
def _value(shape: str, random: Random) -> str:
    if shape.startswith("base64:"):
        return base64.b64encode(_value(shape[7:], random).encode()).decode()
    pieces = shape.replace("}", "{").split("{")
    alphabets = {"a": ANY, "h": HEX, "s": SMALL, "c": CAPITAL, "d": "0123456789"}
    return "".join(
        _drawn(random, alphabets[piece[0]], int(piece[1:])) if place % 2 else piece
        for place, piece in enumerate(pieces)
    )


IN_FILES = {
    "//registry.npmjs.org/:_authToken=§\n": "npm_{a36}",
    "registry=https://x.io\n_auth=§\n": "base64:ci:{a12}",
    '{"auths":{"https://index.docker.io/v1/":{"auth":"§"}}}': "base64:ci:{a14}",
    "kind: Secret\nmetadata:\n  name: db\ndata:\n  username: §\n": "base64:{s9}",
    "kind: Secret\nmetadata:\n  name: db\nstringData:\n  VALUE_OF_X: §\n": "{a14}",
    '{"kind":"Secret","apiVersion":"v1","data":{"x":"§"}}': "base64:{s9}",
    "        - name: DB_PASSWORD\n          value: §\n": "{a12}",
    "users:\n- name: admin\n  user:\n    token: §\n": "{a40}",
    '{"type":"random_password","instances":[{"attributes":{"length":20,"result":"§"}}]}': "{a20}",
    '{"outputs":{"db_password":{"value":"§","type":"string","sensitive":true}}}': "{a12}",
    'variable "db_password" {\n  type    = string\n  default = "§"\n}\n': "{a12}",
    "web1 ansible_host=10.0.0.1 ansible_user=root ansible_ssh_pass=§ ansible_port=22\n": "{a12}",
    'ansible_become_pass: "§"\n': "{a12}",
    "javax.net.ssl.keyStorePassword=§\n": "{a12}",
    '<property name="hibernate.connection.password">§</property>': "{a12}",
    '<Resource name="jdbc/app" username="app" password="§"/>': "{a12}",
    "<key>ApiPassword</key>\n<string>§</string>": "{a12}",
    "<Password><Value>§</Value><PlainText>true</PlainText></Password>": "{a12}",
    'network={\n ssid="x"\n psk="§"\n}\n': "{a12}",
    "[Interface]\nPrivateKey = §\n": "base64:{a32}",
    "machine api.x.io\n  login bob@x.io\n  password §\n": "{a16}",
    "db.x.io:5432:*:app:§\n": "{a14}",
    "[default]\naws_access_key_id = AKIAQWERTYUIOPASDFGH\naws_secret_access_key = §\n": "base64:{a30}",
    "SECRET_KEY = 'django-insecure-§'\n": "{a50}",
    "secret_key_base: §\n": "{h128}",
    "Config{host=db, user=app, password=§, pool=5}\n": "{a12}",
    "ENV DB_PASSWORD §\n": "{a12}",
    '#define WIFI_PASSWORD "§"\n': "{a12}",
    "db.password=§ port=1\n": "wGSuuahzudpR",
    "username bob password 7 §\n": "{d18}",
    "snmp-server community § RO\n": "{a12}",
}
IN_SQL = {
    "CREATE USER app WITH PASSWORD '§';": "{a12}",
    "ALTER ROLE app ENCRYPTED PASSWORD '§';": "tigerFalcon",
    "CREATE USER 'app'@'%' IDENTIFIED BY '§';": "{a12}",
    "SET PASSWORD FOR 'bob'@'%' = PASSWORD('§');": "{a12}",
    "CREATE LOGIN bob WITH PASSWORD = N'§', CHECK_POLICY = ON;": "{a12}",
    "rolpassword '§'": "SCRAM-SHA-256$4096:{a22}==${a43}=:{a43}=",
    "rolpassword = '§'": "md5{h32}",
    "Administrator:500:aad3b435b51404eeaad3b435b51404ee:§:::": "{h32}",
}
ON_COMMAND_LINES = {
    "ldapsearch -x -D cn=admin,dc=x -w § -b dc=x": "{a12}",
    "echo '§' | docker login --username ci --password-stdin": "{a12}",
    "htpasswd -b .htpasswd bob §": "{a12}",
    "rabbitmqctl add_user bob §": "{a12}",
    "smbclient //srv/share -U bob%§": "{a12}",
    "snmpwalk -v3 -u bob -A § 10.0.0.1": "{a12}",
    "zip -P § out.zip x": "{a12}",
    "7z x -p§ a.7z": "{a12}",
    "keytool -genkey -storepass § -alias x": "{a12}",
    "aws configure set aws_secret_access_key §": "{a40}",
    "net use Z: \\\\srv\\share /user:ACME\\bob §": "{a12}",
    'ConvertTo-SecureString "§" -AsPlainText -Force': "{a12}",
    "helm install x --set auth.rootPassword=§,auth.database=x": "{a12}",
    "curl -H 'Authorization: SSWS §' https://x.okta.com/": "00{a40}",
}
IN_ADDRESSES = {
    "jdbc:oracle:thin:scott/§@//db:1521/XE": "{a10}",
    "jdbc:sqlserver://db:1433;user=sa;password=§;encrypt=true": "{a12}",
    "Driver={ODBC Driver 18 for SQL Server};Server=db;UID=sa;PWD={§};": "{a8};{a5}",
    "Host=db;Username=app;Password=§;Database=app": "{a12}",
    "snowflake://bob:§@acct/db?warehouse=w": "{a12}",
    "ffmpeg -i rtsp://admin:§@10.0.0.9:554/stream": "{a12}",
    "https://discord.com/api/webhooks/130597329088096346/§": "{a68}",
    "https://api.telegram.org/bot§/sendMessage": "{d10}:AA{a33}",
    "GET /maps/api/js?key=§&v=3": "AIzaSy{a33}",
}
WITHOUT_A_SIGN = {
    "requirepass §\n": "{a20}",
    "masterauth §\n": "{a12}",
    "sentinel auth-pass mymaster §\n": "{a12}",
    "olcRootPW §\n": "{a12}",
    "bind-password §\n": "{a14}",
    "xpack.security.http.ssl.keystore.secure_password §\n": "{a14}",
    "zookeeper digest super:§\n": "{a27}=",
    "shadow md5 §\n": "md5{h32}",
    "openssl enc -aes-256-cbc -k § -in a": "{a15}",
    "openssl rsa -in k.pem -passin pass:§ -out p.pem": "{a15}",
    "azure devops pat: §\n": "wdff4bqi4lsl4khapve3gkchm2qalvlp2urjndhopzxsfne6r4nd",
    "passphrase: §\n": "correct horse battery staple",
    "mnemonic = §\n": "abandon ability able about above absent absorb abstract absurd abuse access accident",
    'seed phrase: "§"': "only this will then zebra usage pretty napkin cradle ostrich velvet tornado",
    "smtp_pass=§\n": "zqfpcpuojpmxbdri",
}
WHERE_NONE_IS_SET = {
    "db_pass = env('X', '§')": "{a14}",
    'os.getenv("DB_PASSWORD", "§")': "{a14}",
    'os.environ.get("API_SECRET", default="§")': "{a14}",
    "ENV.fetch('DB_PASSWORD', '§')": "{a14}",
    "password: process.env.DB_PASSWORD || '§',": "{a14}",
    'password: process.env.DB_PASSWORD ?? "§",': "{a14}",
    'ENV["DB_PASSWORD"] || "§"': "{a14}",
    "PGPASSWORD=${DB_PASSWORD:-§} psql\n": "{a14}",
    "spring.datasource.password: ${DB_PASSWORD:§}\n": "{a14}",
}
IN_OTHER_LANGUAGES = [
    "Das Passwort lautet: §", "Kennwort für den Server: §", "contraseña: §", "La contraseña es § ", "mot de passe : §", "MDP=§", "senha=§",
    "A senha é §", "Wachtwoord: §", "Hasło: §", "HASŁO: §", "heslo je §", "Lösenord: §", "adgangskode: §", "passord: §", "Salasana: §",
    "jelszó: §", "Lozinka: §", "şifre: §", "parola: §", "Mật khẩu: §", "kata sandi: §", "Пароль: §", "ПАРОЛЬ: §", "пароль от базы: §",
    "Κωδικός πρόσβασης: §", "パスワード: §", "パスワードは§です", "密码\uff1a§", "密码是§。", "密碼: §", "비밀번호: §", "סיסמה: §", "كلمة المرور: §", "รหัสผ่าน: §",
    'contraseña = "§"', "<contraseña>§</contraseña>", '{"contraseña": "§"}', '{"db_пароль": "§"}', '{"motDePasse": "§"}', '{"密码": "§"}',
    "clé et mot de passe: '§'",
]  # fmt: skip
TOKENS = [
    "ghp_{a36}",
    "gho_{a36}",
    "ghu_{a36}",
    "ghs_{a36}",
    "ghr_{a76}",
    "github_pat_{a22}_{a59}",
    "glpat-{a20}",
    "gldt-{a20}",
    "glrt-{a20}",
    "glsoat-{a20}",
    "xoxb-{d12}-{d12}-{a24}",
    "xapp-1-A{c10}-{d13}-{h64}",
    "sk_live_{a24}",
    "rk_live_{a24}",
    "whsec_{a32}",
    "SG.{a22}.{a43}",
    "sk-proj-{a74}T3BlbkFJ{a74}",
    "sk-ant-api03-{a93}AA",
    "npm_{a36}",
    "pypi-AgEIcHlwaS5vcmc{a120}",
    "dop_v1_{h64}",
    "doo_v1_{h64}",
    "GOCSPX-{a28}",
    "1//0{a60}",
    "ya29.{a90}",
    "NRAK-{c27}",
    "NRII-{a32}",
    "key-{h32}",
    "{d10}:AA{a33}",
    "shpat_{h32}",
    "shpss_{h32}",
    "sq0csp-{a43}",
    "hvs.{a95}",
    "{a14}.atlasv1.{a67}",
    "dapi{h32}",
    "glsa_{a32}_{h8}",
    "lin_api_{a40}",
    "secret_{a43}",
    "ntn_{d11}{a35}",
    "figd_{a43}",
    "PMAK-{h24}-{h34}",
    "pul-{h40}",
    "dp.pt.{a43}",
    "dp.st.prd_eu.{a43}",
    "dp.ct.{a43}",
    "{h32}-us12",
    "pcsk_{a6}_{a63}",
    "aio_{a28}",
    "squ_{h40}",
    "sqp_{h40}",
    "rdme_{s70}",
    "access_token$production${a16}${h32}",
    "1/{d16}:{h32}",
    "SSWS 00{a40}",
    "cmVmdGtuOjAxOjE3{a48}",
    "dG9rO{a54}=",
    "{a76}AZDO{a4}",
    "0.{h8}-{h4}-{h4}-{h4}-{h12}.{a30}:{a22}==",
    "pscale_tkn_{a43}",
    "pscale_pw_{a43}",
    "nfp_{a36}",
    "rnd_{a28}",
    "sbp_{h40}",
    "dt0c01.{c24}.{c64}",
    "sntryu_{h64}",
    "rubygems_{h48}",
    "dckr_pat_{a27}",
    "ATATT3xFfGF0{a180}",
    "HRKU-AA{a58}",
    "gsk_{a52}",
    "pplx-{a48}",
    "xai-{a80}",
    "sk-or-v1-{h64}",
    "tskey-auth-{a16}-{a32}",
    "xkeysib-{h64}-{a16}",
    "sdk-{h8}-{h4}-4{h3}-a{h3}-{h12}",
    "AKCp{a69}",
    "EAA{a150}",
]
NEUTRAL = ("value is § now\n", '{"x":"§"}', "a,b,§,c\n", "<v>§</v>")


def _is_found_in_full(scanner: ContentScanner, setting: str, value: str) -> bool:
    start = setting.index("§")
    spans = scanner.spans(setting.replace("§", value))
    return any(span.start <= start and start + len(value) <= span.end for span in spans)


@pytest.mark.parametrize(
    ("setting", "shape"), [*IN_FILES.items(), *IN_SQL.items(), *ON_COMMAND_LINES.items(), *IN_ADDRESSES.items()]
)
def test_a_secret_is_found_where_others_keep_it(scanner: ContentScanner, setting: str, shape: str) -> None:
    random = Random(setting)
    assert [
        value for value in (_value(shape, random) for _ in range(3)) if not _is_found_in_full(scanner, setting, value)
    ] == []


@pytest.mark.parametrize(("setting", "shape"), [*WITHOUT_A_SIGN.items(), *WHERE_NONE_IS_SET.items()])
def test_a_secret_is_found_without_a_sign_between_or_as_what_a_setting_is_by_default(
    scanner: ContentScanner, setting: str, shape: str
) -> None:
    assert _is_found_in_full(scanner, setting, _value(shape, Random(setting)))


@pytest.mark.parametrize("setting", IN_OTHER_LANGUAGES)
def test_a_password_is_found_in_the_language_people_write(scanner: ContentScanner, setting: str) -> None:
    random = Random(setting)
    assert [
        value for value in (_value("{a12}", random) for _ in range(3)) if not _is_found_in_full(scanner, setting, value)
    ] == []


@pytest.mark.parametrize("shape", TOKENS)
def test_a_token_is_known_by_its_form_wherever_it_stands(scanner: ContentScanner, shape: str) -> None:
    random = Random(shape)
    missed = [setting for setting in NEUTRAL if not _is_found_in_full(scanner, setting, _value(shape, random))]
    assert missed == []


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_only_sounds_secret_is_left_alone(scanner: ContentScanner, text: str) -> None:
    assert scanner.spans(text) == []


def test_all_that_only_sounds_secret_together_is_left_alone_too(scanner: ContentScanner) -> None:
    text = "\n---\n".join(LEFT_ALONE)
    assert [text[span.start : span.end] for span in scanner.spans(text)] == []
