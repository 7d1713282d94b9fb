-- +goose Up
-- A list's proposal needs as many signatures as its feed asks for.
ALTER TABLE proposals ADD COLUMN needed smallint NOT NULL DEFAULT 2 CHECK (needed BETWEEN 2 AND 16);
ALTER TABLE proposals ADD COLUMN published timestamptz; -- of a list: it went out to the posts
ALTER TABLE proposals ADD COLUMN refused text;          -- of a list: why what was approved cannot be published

-- Workers on other machines, which hold parts of lists.
CREATE TABLE workers (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    public_key text NOT NULL UNIQUE,          -- nkey, prefix U (Ed25519)
    shard      integer NOT NULL CHECK (shard BETWEEN 0 AND 255),
    added      timestamptz NOT NULL DEFAULT now(),
    retired    timestamptz,                   -- a retired id or key is never used again
    told       timestamptz,                   -- its last word of presence
    holds      jsonb                          -- and what it says that it holds
);

-- The number of the lock that waits to be lifted: the post gets no lease.
ALTER TABLE devices ADD COLUMN locked bigint;

-- +goose Down
ALTER TABLE devices DROP COLUMN locked;
DROP TABLE workers;
ALTER TABLE proposals DROP COLUMN needed, DROP COLUMN published, DROP COLUMN refused;
