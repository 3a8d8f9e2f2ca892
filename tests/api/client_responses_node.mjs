// /v1/responses through the official openai client of npm, unmodified, from the demo checkpoint as `seraph run` serves it.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any', maxRetries: 0 });
const plain = { model: 'model', input: 'Hello', temperature: 0, max_output_tokens: 40 };
const parameters = {
  type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false,
};
const ask = {
  model: 'model',
  input: 'What is the weather in Paris?',
  tools: [{ type: 'function', name: 'get_weather', description: 'Get the weather of a city', parameters, strict: true }],
  temperature: 0,
  max_output_tokens: 80,
};

const tests = {
  async wholeAnswer() {
    const answer = await client.responses.create(plain);
    assert.equal(answer.status, 'completed');
    assert.ok(answer.output_text.length > 0);
  },
  async streamHelper() {
    const whole = await client.responses.create(plain);
    const stream = client.responses.stream(plain);
    let text = '';
    stream.on('response.output_text.delta', (event) => { text += event.delta; });
    const final = await stream.finalResponse();
    assert.equal(text, whole.output_text);
    assert.equal(final.output_text, whole.output_text);
  },
  async parsedCalls() {
    const final = await client.responses.stream(ask).finalResponse();
    const call = final.output.find((item) => item.type === 'function_call');
    assert.ok(Object.values(call.parsed_arguments ?? JSON.parse(call.arguments)).includes('Paris'));
  },
  async followUp() {
    const first = await client.responses.create(ask);
    const call = first.output.find((item) => item.type === 'function_call');
    const next = await client.responses.create({
      ...ask,
      previous_response_id: first.id,
      input: [{ type: 'function_call_output', call_id: call.call_id, output: '{"temperature": 21, "sky": "sunny"}' }],
    });
    assert.match(next.output_text, /21/);
  },
  async errors() {
    await assert.rejects(client.responses.retrieve('resp_none'), (error) => error.status === 404);
    await assert.rejects(client.responses.create({ ...plain, input: 5 }), (error) => error.param === 'body.input');
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log('ok', name);
}
