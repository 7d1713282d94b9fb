-- +goose Up
ALTER TABLE devices ADD COLUMN missing timestamptz; -- reported missing: it gets nothing but this word

-- Posts whose vault opens by a lease.
CREATE TABLE leases (
    device       text PRIMARY KEY REFERENCES devices (id),
    boot_key     text NOT NULL UNIQUE,        -- nkey, prefix U (Ed25519): signs before the vault is open
    registration text NOT NULL,               -- holds central's half, sealed to central
    seconds      integer NOT NULL CHECK (seconds BETWEEN 1 AND 604800),
    registered   timestamptz NOT NULL DEFAULT now()
);

-- Every call for a lease, answered or refused.
CREATE TABLE releases (
    device  text NOT NULL REFERENCES devices (id),
    call    bytea NOT NULL,                   -- Call.id: answered once
    renewal boolean NOT NULL,
    refused text,                             -- code, NULL where it was given
    asked   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device, call)
);

-- The count of starts that a post last told.
CREATE TABLE contacts (
    device      text PRIMARY KEY REFERENCES devices (id),
    starts      bigint NOT NULL,
    run         bytea NOT NULL,
    told        timestamptz NOT NULL DEFAULT now(),
    rolled_back timestamptz                   -- an old disk image or a copy came: the device is refused until enrolled anew
);

-- +goose Down
DROP TABLE contacts;
DROP TABLE releases;
DROP TABLE leases;
ALTER TABLE devices DROP COLUMN missing;
