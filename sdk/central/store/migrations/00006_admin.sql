-- +goose Up
-- Who signs in to the administration page. Only role operator approves; the
-- others have no key here.
ALTER TABLE operators ADD COLUMN role text NOT NULL DEFAULT 'operator' CHECK (role IN ('operator', 'administrator', 'auditor'));
ALTER TABLE operators ALTER COLUMN public_key DROP NOT NULL;
ALTER TABLE operators ADD CONSTRAINT operators_sign CHECK ((role = 'operator') = (public_key IS NOT NULL));

-- Backups that were written whole and are on disk.
CREATE TABLE backups (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL,              -- state that it holds
    file   text NOT NULL,                     -- name without folder
    bytes  bigint NOT NULL,
    sha256 bytea NOT NULL
);

-- +goose Down
DROP TABLE backups;
DELETE FROM operators WHERE public_key IS NULL;
ALTER TABLE operators DROP CONSTRAINT operators_sign;
ALTER TABLE operators ALTER COLUMN public_key SET NOT NULL;
ALTER TABLE operators DROP COLUMN role;
