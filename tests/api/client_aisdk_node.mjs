// The AI SDK with @ai-sdk/openai-compatible, unmodified, on the demo checkpoint.
import assert from 'node:assert/strict';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText, stepCountIs, tool } from 'ai';
import { z } from 'zod';

const provider = createOpenAICompatible({ name: 'seraph', baseURL: process.argv[2], apiKey: 'any', includeUsage: true });
const model = provider('model');
const plain = { model, prompt: 'What is a KV cache?', temperature: 0, maxOutputTokens: 80, maxRetries: 0 };
const tools = {
  get_weather: tool({
    description: 'Get the weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => ({ city, temperature: 21 }),
  }),
};
const weather = { ...plain, prompt: 'What is the weather in Paris?', tools };

const tests = {
  async generate() {
    const answer = await generateText(plain);
    assert.ok(answer.text.length > 0);
    assert.ok(answer.usage.outputTokens > 0);
  },
  async stream() {
    const whole = (await generateText(plain)).text;
    const stream = streamText(plain);
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, whole);
    assert.ok((await stream.usage).outputTokens > 0);
  },
  async toolRoundTrip() {
    const answer = await generateText({ ...weather, stopWhen: stepCountIs(2) });
    assert.equal(answer.steps[0].finishReason, 'tool-calls');
    assert.equal(answer.steps.length, 2);
    assert.ok(answer.text.length > 0);
  },
  async streamedTool() {
    const kinds = new Set();
    const stream = streamText(weather);
    for await (const part of stream.fullStream) kinds.add(part.type);
    assert.ok(kinds.has('tool-input-delta') && kinds.has('tool-call'), [...kinds].join());
    assert.ok(Object.values((await stream.toolCalls)[0].input).includes('Paris'));
  },
  async refusal() {
    await assert.rejects(generateText({ ...plain, temperature: 9 }), (error) => {
      assert.equal(error.statusCode, 400);
      return /temperature/.test(error.message);
    });
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log('ok', name);
}
