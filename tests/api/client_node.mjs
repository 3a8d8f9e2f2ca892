// The official openai client of npm, unmodified. Greedy answers of the tiny checkpoint are known texts.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any', maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is the capital of France?' }];
const answer = 'The capital of France is Paris.';
const base = { model: 'tiny', messages, temperature: 0, max_tokens: 12 };

const tests = {
  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names, ['tiny']);
  },
  async chat() {
    const result = await client.chat.completions.create(base);
    assert.equal(result.choices[0].message.content, answer);
    assert.equal(result.choices[0].finish_reason, 'stop');
  },
  async stream() {
    const stream = await client.chat.completions.create({ ...base, stream: true, stream_options: { include_usage: true } });
    let text = '';
    let usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? '';
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, answer);
    assert.equal(usage.completion_tokens, 8);
  },
  async streamHelper() {
    // The helper rebuilds the message from deltas and throws on missing roles or finish reasons.
    const final = await client.chat.completions.stream({ ...base, logprobs: true, top_logprobs: 2 }).finalChatCompletion();
    assert.equal(final.choices[0].message.content, answer);
    assert.equal(final.choices[0].logprobs.content.length, 8);
  },
  async completions() {
    const result = await client.completions.create({ model: 'tiny', prompt: 'The quick brown fox', max_tokens: 8, temperature: 0 });
    assert.equal(result.choices[0].text, ' jumps over the');
  },
  async choicesAndStop() {
    const result = await client.chat.completions.create({ ...base, n: 2, temperature: 1, seed: 3, stop: ['Paris'] });
    assert.equal(result.choices.length, 2);
    for (const choice of result.choices) assert.ok(!choice.message.content.includes('Paris'));
  },
  async errors() {
    const failing = [
      [{ model: 'nope' }, OpenAI.NotFoundError],
      [{ messages: [] }, OpenAI.BadRequestError],
      [{ temperature: 'hot' }, OpenAI.BadRequestError],
      [{ max_tokens: 0 }, OpenAI.BadRequestError],
    ];
    for (const [change, kind] of failing) {
      await assert.rejects(client.chat.completions.create({ ...base, ...change }), (error) => {
        assert.ok(error instanceof kind, `${error}`);
        assert.ok(error.error.message);
        return true;
      });
    }
  },
  async abort() {
    const stream = await client.chat.completions.create({ ...base, max_tokens: 480, ignore_eos: true, stream: true });
    for await (const chunk of stream) {
      if (chunk) break; // leaving the loop aborts the request
    }
    const result = await client.chat.completions.create(base);
    assert.equal(result.choices[0].message.content, answer);
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log('  node', name);
}
