// /v1/messages through the official client of npm, unmodified, from the demo checkpoint as `seraph run` serves it.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: process.argv[2].replace(/\/v1$/, ''), apiKey: 'any', maxRetries: 0 });
const plain = { model: 'model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 40, temperature: 0 };

const whole = await client.messages.create(plain);
const stream = client.messages.stream(plain);
let text = '';
stream.on('text', (piece) => { text += piece; });
const final = await stream.finalMessage();
assert.equal(text, whole.content[0].text);
assert.deepEqual(final.content[0].text, whole.content[0].text);
assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
await assert.rejects(client.messages.create({ ...plain, model: 'nobody' }), (error) => error.status === 404);
console.log('ok');
