// An ordinary AWS SDK for JavaScript v3, told nothing but what demo.env says. Prints one JSON object.
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import dns from "node:dns";

const [modules, bucket] = process.argv.slice(2);
const load = createRequire(`${modules}/package.json`);
const { S3Client, PutObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, CopyObjectCommand, DeleteObjectCommand } = load("@aws-sdk/client-s3");
const { LambdaClient, InvokeCommand, InvokeWithResponseStreamCommand } = load("@aws-sdk/client-lambda");
const { DynamoDBClient, GetItemCommand } = load("@aws-sdk/client-dynamodb");
const { Upload } = load("@aws-sdk/lib-storage");

// As with systemd-resolved or wildcard DNS: names below localhost are this machine.
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(name.endsWith("localhost") ? "localhost" : name, ...rest);

const TEXT = "a line of text that hides nothing\n";
const found = {};
const clients = { virtual: new S3Client({}), path: new S3Client({ forcePathStyle: true }) };
for (const [style, s3] of Object.entries(clients)) {
  const at = (name) => ({ Bucket: bucket, Key: `js/${style}/${name}` });
  const text = async (name) => (await s3.send(new GetObjectCommand(at(name)))).Body.transformToString();
  await s3.send(new PutObjectCommand({ ...at("string"), Body: TEXT }));
  await s3.send(new PutObjectCommand({ ...at("stream"), Body: Readable.from([Buffer.from(TEXT), Buffer.from(TEXT)]), ContentLength: 2 * TEXT.length }));
  const lines = function* () { for (let i = 0; i < 60; i++) yield Buffer.from(TEXT.repeat(3000)); };
  await new Upload({ client: s3, params: { ...at("parts"), Body: Readable.from(lines()) } }).done();
  await s3.send(new CopyObjectCommand({ ...at("copy"), CopySource: `${bucket}/js/${style}/string` }));
  await s3.send(new DeleteObjectCommand(at("copy")));
  found[style] = {
    string: await text("string"),
    stream: await text("stream"),
    parts: (await s3.send(new HeadObjectCommand(at("parts")))).ContentLength,
    listed: (await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `js/${style}/` }))).KeyCount,
    missing: await text("copy").catch((error) => error.name),
  };
}
const lambda = new LambdaClient({});
const invoked = await lambda.send(new InvokeCommand({ FunctionName: "quote", Payload: "{}" }));
found.invoked = Buffer.from(invoked.Payload).toString();
const streamed = await lambda.send(new InvokeWithResponseStreamCommand({ FunctionName: "quote", Payload: "{}" }));
found.streamed = "";
for await (const event of streamed.EventStream) found.streamed += Buffer.from(event.PayloadChunk?.Payload ?? "").toString();
const item = await new DynamoDBClient({}).send(new GetItemCommand({ TableName: "customers", Key: { id: { S: "c-1" } } }));
found.item = item.Item.name.S;
found.refused = await clients.path.send(new GetObjectCommand({ Bucket: bucket, Key: "js/refused" })).catch((error) => error.name + ": " + error.message);
console.log(JSON.stringify(found));
