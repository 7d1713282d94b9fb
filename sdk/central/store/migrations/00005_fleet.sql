-- +goose Up
-- Who may approve: the same persons and keys as the posts' configuration names
-- as owners. The private halves are on their own machines only.
CREATE TABLE operators (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
    public_key bytea NOT NULL UNIQUE CHECK (length(public_key) = 32), -- Ed25519
    password   text,                          -- argon2id, for the administration page; NULL has no access
    added      timestamptz NOT NULL DEFAULT now(),
    retired    timestamptz
);

-- What waits for, or has had, the word of two. The content never changes.
CREATE TABLE proposals (
    id       bytea PRIMARY KEY CHECK (length(id) = 16),
    kind     text NOT NULL,                   -- order, enrolment, renewal, list
    subject  text NOT NULL,                   -- the post, list or record
    reason   text NOT NULL,
    content  bytea NOT NULL,                  -- what is signed
    made     timestamptz NOT NULL DEFAULT now(),
    made_by  text NOT NULL,
    expires  timestamptz NOT NULL,
    state    text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'approved', 'withdrawn')),
    decided  timestamptz,
    central  bytea                            -- central's own signature, of a lock
);
CREATE INDEX proposals_by_time ON proposals (made);

CREATE TABLE approvals (
    proposal  bytea NOT NULL REFERENCES proposals (id),
    operator  text NOT NULL REFERENCES operators (id),
    signature bytea NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (proposal, operator)
);

-- What an order has become at each post. Numbers only grow at a post.
CREATE TABLE order_targets (
    proposal bytea NOT NULL REFERENCES proposals (id),
    device   text NOT NULL REFERENCES devices (id),
    number   bigint NOT NULL CHECK (number > 0),
    sha256   bytea NOT NULL,
    state    text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'sent', 'done', 'refused', 'withdrawn')),
    code     text,                            -- of a refusal
    done     timestamptz,                     -- the receipt came
    PRIMARY KEY (device, number)
);
CREATE INDEX order_targets_open ON order_targets (device) WHERE state = 'sent';
CREATE INDEX order_targets_by_proposal ON order_targets (proposal);

ALTER TABLE devices ADD COLUMN last_number bigint NOT NULL DEFAULT 0; -- of an order proposed for it
ALTER TABLE devices ADD COLUMN recipient bytea;        -- X25519, keys of lists are wrapped to it
ALTER TABLE devices ADD COLUMN certificate bigint;     -- serial number, NULL: registered without one
ALTER TABLE devices ADD COLUMN expires timestamptz;    -- of the certificate

ALTER TABLE contacts ADD COLUMN count bigint NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN version text NOT NULL DEFAULT '';
ALTER TABLE contacts ADD COLUMN lists jsonb NOT NULL DEFAULT '[]';
ALTER TABLE contacts ADD COLUMN audit_number bigint NOT NULL DEFAULT -1;
ALTER TABLE contacts ADD COLUMN audit_lines bigint NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN audit_sha256 bytea;
ALTER TABLE contacts ADD COLUMN waiting integer NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN command bigint NOT NULL DEFAULT 0;

-- What operators have to look into; nothing is taken out.
CREATE TABLE incidents (
    device text NOT NULL REFERENCES devices (id),
    raised timestamptz NOT NULL DEFAULT now(),
    code   text NOT NULL,                     -- device.cloned
    detail jsonb NOT NULL DEFAULT '{}'        -- starts and runs of both
);
CREATE INDEX incidents_by_time ON incidents (raised);

-- Who did what at central, in order.
CREATE TABLE history (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    who     text NOT NULL,
    what    text NOT NULL,
    subject text NOT NULL,
    reason  text NOT NULL
);

-- +goose Down
DROP TABLE history;
DROP TABLE incidents;
ALTER TABLE contacts DROP COLUMN count, DROP COLUMN version, DROP COLUMN lists, DROP COLUMN audit_number, DROP COLUMN audit_lines,
    DROP COLUMN audit_sha256, DROP COLUMN waiting, DROP COLUMN command;
ALTER TABLE devices DROP COLUMN last_number, DROP COLUMN recipient, DROP COLUMN certificate, DROP COLUMN expires;
DROP TABLE order_targets;
DROP TABLE approvals;
DROP TABLE proposals;
DROP TABLE operators;
