package examine

import (
	"errors"
	"testing"
	"time"
)

func TestParseKey(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const td3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
	for _, tc := range []struct {
		name, zone, can  string
		passwords, lines int
		err              error
	}{
		{name: "fields", zone: "L898902C3,740812,120415", passwords: 1},
		{name: "fields in small letters, filled up", zone: " l898902c3<, 740812 ,120415\n", passwords: 1},
		{name: "zone", zone: td3, passwords: 1, lines: 2},
		{name: "zone with a bar", zone: td3[:44] + "|" + td3[45:], passwords: 1, lines: 2},
		{name: "zone with written line feed", zone: td3[:44] + `\n` + td3[45:], passwords: 1, lines: 2},
		{name: "zone in one", zone: td3[:44] + td3[45:], passwords: 1, lines: 2},
		{name: "CAN", can: "123456", passwords: 1},
		{name: "both", zone: "L898902C3,740812,120415", can: "123456", passwords: 2},
		{name: "nothing", err: ErrKeyMissing},
		{name: "blank", zone: " \n ", err: ErrKeyMissing},
		{name: "two fields", zone: "L898902C3,740812", err: ErrKeyForm},
		{name: "four fields", zone: "L898902C3,740812,120415,1", err: ErrKeyForm},
		{name: "dates", zone: "L898902C3,1974-08-12,120415", err: ErrKeyForm},
		{name: "no number", zone: ",740812,120415", err: ErrKeyForm},
		{name: "half a zone", zone: td3[:44], err: ErrKeyForm},
		{name: "short CAN", can: "12345", err: ErrKeyForm},
		{name: "CAN of letters", can: "12345A", err: ErrKeyForm},
		{name: "good zone, bad CAN", zone: td3, can: "1", err: ErrKeyForm},
	} {
		k, err := ParseKey(tc.zone, tc.can, at)
		if !errors.Is(err, tc.err) || len(k.Passwords) != tc.passwords || len(k.Lines) != tc.lines {
			t.Errorf("%s: %d passwords, %d lines, %v", tc.name, len(k.Passwords), len(k.Lines), err)
		}
		k.Wipe()
	}
}
