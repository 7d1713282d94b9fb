package emrtd

import (
	"strconv"

	"github.com/watchpost/watchpost/device/fault"
)

// File is one elementary file of the travel document (Doc 9303-10, 8th
// edition 2021, table 34 and clause 3.11).
type File struct {
	Name   string // "COM", "SOD", "DG1", "CardAccess"; the key of Reading.Files
	ID     uint16 // file identifier
	SFI    byte   // short identifier, 1 to 30; 0 where it has none
	Tag    byte   // of the data object that it holds; 0 where it holds several
	Master bool   // lies in the master file, not in the application
}

// Files outside the numbered data groups.
var (
	fileATR          = File{Name: "ATR_INFO", ID: 0x2F01, SFI: 0x01, Master: true}
	fileCardAccess   = File{Name: "CardAccess", ID: 0x011C, SFI: 0x1C, Tag: 0x31, Master: true}
	fileCardSecurity = File{Name: "CardSecurity", ID: 0x011D, SFI: 0x1D, Tag: 0x30, Master: true}
	fileCOM          = File{Name: "COM", ID: 0x011E, SFI: 0x1E, Tag: 0x60}
	fileCVCA         = File{Name: "CVCA", ID: 0x011C, SFI: 0x1C}
	fileSOD          = File{Name: "SOD", ID: 0x011D, SFI: 0x1D, Tag: 0x77}
)

// groupTags are the tags of DG1 to DG16 (Doc 9303-10, table 34).
var groupTags = [...]byte{0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70}

// Groups is the highest number of a data group.
const Groups = len(groupTags)

// GroupName is the name of data group n: "DG1".
func GroupName(n int) string { return "DG" + strconv.Itoa(n) }

// group returns the file of data group n, 1 to Groups.
func group(n int) File {
	return File{Name: GroupName(n), ID: 0x0100 | uint16(n), SFI: byte(n), Tag: groupTags[n-1]}
}

// Reasons for which one file could not be read. The others are read all the
// same.
var (
	// ErrFileMissing: the chip has no such file.
	ErrFileMissing = &fault.Error{Code: "file.missing"}
	// ErrFileDenied: the chip does not let us read it (DG3 and DG4 without Terminal Authentication).
	ErrFileDenied = &fault.Error{Code: "file.denied"}
	// ErrFileRefused: the chip answered with another error status whatever the block size.
	ErrFileRefused = &fault.Error{Code: "file.refused"}
	// ErrFileBlank: the file holds no data object, but the filling of unused memory.
	ErrFileBlank = &fault.Error{Code: "file.blank"}
	// ErrFileLength: the data object's length is unreadable.
	ErrFileLength = &fault.Error{Code: "file.length"}
	// ErrFileTooLarge: the data object is longer than the reader accepts.
	ErrFileTooLarge = &fault.Error{Code: "file.too_large"}
	// ErrFileTruncated: the file ends before its data object does.
	ErrFileTruncated = &fault.Error{Code: "file.truncated"}
	// ErrFileEndless: the file comes in pieces so small that it would never end.
	ErrFileEndless = &fault.Error{Code: "file.endless"}
	// ErrFileOverlong: the chip sent more octets than were asked for.
	ErrFileOverlong = &fault.Error{Code: "file.overlong"}
	// ErrFileOffset: the chip's offset data object is wrong (odd READ BINARY).
	ErrFileOffset = &fault.Error{Code: "file.offset"}
	// ErrFileNotTried: the reading ended before this file's turn.
	ErrFileNotTried = &fault.Error{Code: "file.not_tried"}
)
