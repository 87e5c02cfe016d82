// Piece commitments by github.com/filecoin-project/go-fil-commp-hashhash, for bench/peers/run.py.
//
//	hashhash < CAR               commP of a stream, read as the library's own stream-commp reads one with -d
//	hashhash memory BYTES SEED   commP of random bytes in memory; only the hashing is timed
//
// Prints one JSON object: {"commp": hex, "payload_bytes": n, "seconds": s}.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	commp "github.com/filecoin-project/go-fil-commp-hashhash"
)

// streamBufferBytes is stream-commp's: whole groups of 127 bytes.
const streamBufferBytes = (4 << 20) / 128 * 127

type report struct {
	Commp        string  `json:"commp"`
	PayloadBytes int64   `json:"payload_bytes"`
	Seconds      float64 `json:"seconds"`
}

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hashhash:", err)
		os.Exit(1)
	}
}

func run(arguments []string) (report, error) {
	if len(arguments) == 0 {
		return hashStream(os.Stdin)
	}
	if len(arguments) != 3 || arguments[0] != "memory" {
		return report{}, fmt.Errorf("usage: hashhash [memory BYTES SEED]")
	}
	byteCount, err := strconv.ParseUint(arguments[1], 10, 40)
	if err != nil {
		return report{}, err
	}
	seed, err := strconv.ParseUint(arguments[2], 10, 64)
	if err != nil {
		return report{}, err
	}
	return hashMemory(randomBytes(int(byteCount), seed))
}

func hashStream(stream io.Reader) (report, error) {
	calc := new(commp.Calc)
	start := time.Now()
	payloadBytes, err := io.Copy(io.Discard, bufio.NewReaderSize(io.TeeReader(stream, calc), streamBufferBytes))
	if err != nil {
		return report{}, err
	}
	return finish(calc, payloadBytes, start)
}

func hashMemory(payload []byte) (report, error) {
	calc := new(commp.Calc)
	start := time.Now()
	if _, err := calc.Write(payload); err != nil {
		return report{}, err
	}
	return finish(calc, int64(len(payload)), start)
}

func finish(calc *commp.Calc, payloadBytes int64, start time.Time) (report, error) {
	digest, _, err := calc.Digest()
	if err != nil {
		return report{}, err
	}
	return report{fmt.Sprintf("%x", digest), payloadBytes, time.Since(start).Seconds()}, nil
}

// randomBytes is the xorshift64 sequence of tools/measure.h, so that both programs hash the same bytes.
func randomBytes(byteCount int, seed uint64) []byte {
	random := make([]byte, (byteCount+7)/8*8)
	state := seed*0x9E3779B97F4A7C15 + 1
	for offset := 0; offset < len(random); offset += 8 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		binary.LittleEndian.PutUint64(random[offset:], state)
	}
	return random[:byteCount]
}
