/** A small database with one column of every kind that the client has to understand. */
export const TEST_SCHEMA = {
  name: 'Test',
  version: '1.0.0',
  tables: {
    Thing: {
      isRoot: true,
      indexes: [['name']],
      columns: {
        name: { type: 'string' },
        count: { type: 'integer' },
        ratio: { type: 'real' },
        up: { type: { key: 'boolean', min: 0, max: 1 } },
        tag: { type: { key: { type: 'integer', minInteger: 0, maxInteger: 4095 }, min: 0, max: 1 } },
        colour: { type: { key: { type: 'string', enum: ['set', ['green', 'red']] }, min: 0, max: 1 } },
        labels: { type: { key: 'string', min: 0, max: 'unlimited' } },
        numbers: { type: { key: 'integer', min: 0, max: 'unlimited' } },
        options: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        pair: { type: { key: 'string', value: 'integer', min: 0, max: 1 } },
        parts: { type: { key: { type: 'uuid', refTable: 'Part' }, min: 0, max: 'unlimited' } },
        peer: { type: { key: { type: 'uuid', refTable: 'Thing', refType: 'weak' }, min: 0, max: 1 } },
      },
    },
    /** Without an index, so that a transaction executed twice leaves two rows. */
    Note: { isRoot: true, columns: { text: { type: 'string' } } },
    Part: { columns: { name: { type: 'string' } } },
  },
} as const;
