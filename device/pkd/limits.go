package pkd

import "time"

// Limits bound what a server may send and how long it may take. The zero value
// of a field means its default.
type Limits struct {
	MessageBytes int64         // one answer; 64 MiB: twice the largest CRL that is taken
	TotalBytes   int64         // one connection; 512 MiB: the whole ICAO PKD takes under 200
	Entries      int           // 200,000: the ICAO PKD has some 32,000
	PageSize     int           // entries asked for at a time; 500, what most servers allow
	Stall        time.Duration // silence after which the server is given up; 30 s
}

func (l Limits) withDefaults() Limits {
	if l.MessageBytes <= 0 {
		l.MessageBytes = 64 << 20
	}
	if l.TotalBytes <= 0 {
		l.TotalBytes = 512 << 20
	}
	if l.Entries <= 0 {
		l.Entries = 200_000
	}
	if l.PageSize <= 0 {
		l.PageSize = 500
	}
	if l.Stall <= 0 {
		l.Stall = 30 * time.Second
	}
	return l
}
