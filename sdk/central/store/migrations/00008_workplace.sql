-- +goose Up
ALTER TABLE contacts ADD COLUMN workplace text NOT NULL DEFAULT ''; -- desk, gate or field, as the post says

-- +goose Down
ALTER TABLE contacts DROP COLUMN workplace;
