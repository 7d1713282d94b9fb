-- +goose Up
CREATE TABLE devices (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    public_key text NOT NULL UNIQUE,          -- nkey, prefix U (Ed25519)
    added      timestamptz NOT NULL DEFAULT now(),
    retired    timestamptz                    -- a retired id is never used again
);

-- Who asked for what purpose; never what was asked.
CREATE TABLE searches (
    device     text NOT NULL REFERENCES devices (id),
    call       bytea NOT NULL,                -- Call.id: a question is answered once
    encounter  text NOT NULL,
    officer    text NOT NULL,
    purpose    text NOT NULL,
    asked      timestamptz NOT NULL DEFAULT now(),
    candidates integer,                       -- NULL until answered
    PRIMARY KEY (device, call)
);
CREATE INDEX searches_by_time ON searches (asked);

CREATE TABLE outcomes (
    device         text NOT NULL REFERENCES devices (id),
    id             text NOT NULL,             -- DeliverRequest.id
    encounter      text NOT NULL,
    officer        text NOT NULL,
    second         text NOT NULL,
    purpose        text NOT NULL,
    closed         timestamptz NOT NULL,      -- by the post's clock
    outcome        smallint NOT NULL,
    answer         smallint NOT NULL,
    override       boolean NOT NULL,
    request        bytea NOT NULL,            -- DeliverRequest as delivered
    request_sha256 bytea NOT NULL,
    committed_ms   bigint NOT NULL,           -- in the receipt
    PRIMARY KEY (device, id)
);
CREATE INDEX outcomes_by_commit ON outcomes (committed_ms);

CREATE TABLE adjudications (
    device  text NOT NULL,
    outcome text NOT NULL,
    list    text NOT NULL,
    record  text NOT NULL,
    edition bigint NOT NULL,
    finding smallint NOT NULL,
    officer text NOT NULL,
    FOREIGN KEY (device, outcome) REFERENCES outcomes (device, id) ON DELETE CASCADE
);
CREATE INDEX adjudications_by_record ON adjudications (list, record);

-- +goose Down
DROP TABLE adjudications;
DROP TABLE outcomes;
DROP TABLE searches;
DROP TABLE devices;
