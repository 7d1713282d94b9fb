package mrz

import (
	"strings"
	"unicode"
)

// maxText bounds what Clean looks at, in bytes: the longest zone has 90
// characters, and a page of text around it is the caller's to cut.
const maxText = 4096

// Clean makes lines of a text as people type or machines recognize it: lines
// end at a line end, at "|" or at the two characters \n; space is removed,
// small letters become capitals, guillemets become the fillers that they were
// taken for; one line of 72, 88 or 90 characters is cut into its lines. It
// corrects no digit and no letter, so that check digits keep their worth.
func Clean(text string) []string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	text = strings.NewReplacer("\r", "\n", `\r`, "\n", `\n`, "\n", "|", "\n", "«", "<<", "»", "<<", "‹", "<", "›", "<", "＜", "<").Replace(text)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return unicode.ToUpper(r)
		}, line)
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 1 {
		return splitBlock(lines[0])
	}
	return lines
}
