-- +goose Up
-- Signed heads of the posts' audit logs, as the posts signed them.
CREATE TABLE audit_keys (
    device text PRIMARY KEY REFERENCES devices (id),
    key    text NOT NULL,                     -- verifier key, the first that the post showed
    pinned timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit_heads (
    device       text NOT NULL REFERENCES devices (id),
    number       bigint NOT NULL CHECK (number >= 0),
    lines        bigint NOT NULL CHECK (lines >= 0),
    signed       timestamptz NOT NULL,        -- by the post's clock
    why          text NOT NULL,               -- start, lines, interval, lock, stop
    head         bytea NOT NULL,              -- the signed note
    committed_ms bigint NOT NULL,             -- in the receipt
    PRIMARY KEY (device, number)
);

-- What was wrong with a post's heads; nothing is ever taken out.
CREATE TABLE audit_alarms (
    device text NOT NULL REFERENCES devices (id),
    raised timestamptz NOT NULL DEFAULT now(),
    code   text NOT NULL,                     -- audit.fork, audit.head_late...
    ended  timestamptz,                       -- for audit.head_late: a head came
    head   bytea                              -- what was shown, where something was
);
CREATE INDEX audit_alarms_by_time ON audit_alarms (raised);
CREATE UNIQUE INDEX audit_alarms_once ON audit_alarms (device, code, sha256(head)) WHERE head IS NOT NULL;
CREATE UNIQUE INDEX audit_alarms_late ON audit_alarms (device) WHERE code = 'audit.head_late' AND ended IS NULL;

-- +goose Down
DROP TABLE audit_alarms;
DROP TABLE audit_heads;
DROP TABLE audit_keys;
