package passport

import "time"

// Air is the time that a contactless exchange takes. The zero value takes
// none.
type Air struct {
	KbitPerSecond int            `yaml:"kbit_per_second,omitempty" json:"kbit_per_second,omitempty"` // 106, 212, 424 or 848; 0 is no time on the air
	CommandMillis int            `yaml:"command_ms,omitempty" json:"command_ms,omitempty"`           // the chip's own work on each command
	StepMillis    map[string]int `yaml:"step_ms,omitempty" json:"step_ms,omitempty"`                 // further work by step, named as in Fault.Step
}

// Frames of ISO/IEC 14443-4:2018 with frame sizes of 256 octets (FSCI and FSDI
// 8): a block's prologue is one octet and its epilogue two; Type A sends nine
// bits an octet and a start and an end of frame.
const (
	frameData     = 253
	frameOverhead = 3
	bitsPerOctet  = 9
	frameEdges    = 2
)

// Duration returns how long a command and its answer of these lengths take,
// chained blocks and their acknowledgements counted, without the extra time of
// single steps.
func (a Air) Duration(command, response int) time.Duration {
	total := time.Duration(a.CommandMillis) * time.Millisecond
	if a.KbitPerSecond > 0 {
		bits := airBits(command) + airBits(response)
		total += time.Duration(bits) * time.Millisecond / time.Duration(a.KbitPerSecond)
	}
	return total
}

func airBits(octets int) int {
	blocks := max((octets+frameData-1)/frameData, 1)
	frames := blocks + (blocks - 1) // each block but the last is acknowledged
	return (octets+frames*frameOverhead)*bitsPerOctet + frames*frameEdges
}

func (a Air) stepTime(step string) time.Duration {
	return time.Duration(a.StepMillis[step]) * time.Millisecond
}
