// Signs one delivery with a library that clerk-operator does not use: reads {"library", "secret", "id", "timestamp", "body"} as JSON
// from standard input, and prints the delivery's headers as JSON.
import { readFileSync } from "node:fs";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

const libraries = {
  svix: { Webhook: SvixWebhook, family: "svix" },
  standardwebhooks: { Webhook: StandardWebhook, family: "webhook" },
};

const { library, secret, id, timestamp, body } = JSON.parse(readFileSync(0, "utf8"));
const { Webhook, family } = libraries[library];
const signature = new Webhook(secret).sign(id, new Date(timestamp * 1000), body);

process.stdout.write(
  JSON.stringify({
    [`${family}-id`]: id,
    [`${family}-timestamp`]: String(timestamp),
    [`${family}-signature`]: signature,
  }),
);
