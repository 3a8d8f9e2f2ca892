// Structured output and forced tool calls through the official openai client of npm, unmodified.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any', maxRetries: 0 });
const ask = { model: 'model', messages: [{ role: 'user', content: 'Paint it.' }], temperature: 0, max_tokens: 60 };
const schema = {
  type: 'object', properties: { colour: { enum: ['red', 'blue'] } }, required: ['colour'], additionalProperties: false,
};
const tools = [{ type: 'function', function: { name: 'paint', strict: true, parameters: schema } }];
const bias = { structured_outputs: { json: schema, disable_any_whitespace: true } };

const tests = {
  async parse() {
    const answer = await client.chat.completions.parse({ ...ask, ...bias });
    assert.ok(['red', 'blue'].includes(JSON.parse(answer.choices[0].message.content).colour));
  },
  async stream() {
    const stream = client.chat.completions.stream({ ...ask, response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { enum: ['a', 'b'] }, strict: true } } });
    const completion = await stream.finalChatCompletion();
    assert.ok(['a', 'b'].includes(JSON.parse(completion.choices[0].message.content)));
  },
  async forced() {
    for (const tool_choice of ['required', { type: 'function', function: { name: 'paint' } }]) {
      const stream = client.chat.completions.stream({ ...ask, tools, tool_choice, parallel_tool_calls: false });
      const call = (await stream.finalChatCompletion()).choices[0].message.tool_calls[0];
      assert.equal(call.function.name, 'paint');
      assert.ok(['red', 'blue'].includes(JSON.parse(call.function.arguments).colour));
    }
  },
  async refusal() {
    await assert.rejects(client.chat.completions.create({ ...ask, structured_outputs: { regex: '(?=a)b' } }), OpenAI.BadRequestError);
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log('ok', name);
}
