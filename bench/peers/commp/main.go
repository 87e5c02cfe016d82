// Piece commitments by two libraries of others, for bench/peers/run.py.
//
//	commp hashhash < CAR              commP of a stream, read as the library's own stream-commp reads one with -d
//	commp PEER memory BYTES SEED      commP of random bytes in memory by hashhash or hashtree; only they are timed
//
// Prints one JSON object: {"commp": hex, "payload_bytes": n, "seconds": s, "hashing_seconds": s}.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

type report struct {
	Commp        string  `json:"commp"`
	PayloadBytes int64   `json:"payload_bytes"`
	Seconds      float64 `json:"seconds"`
	// Of those, without Fr32; 0 where it is part of the hashing.
	HashingSeconds float64 `json:"hashing_seconds"`
}

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "commp:", err)
		os.Exit(1)
	}
}

func run(arguments []string) (report, error) {
	if len(arguments) == 1 && arguments[0] == "hashhash" {
		return hashStream(os.Stdin)
	}
	if len(arguments) != 4 || arguments[1] != "memory" {
		return report{}, fmt.Errorf("usage: commp hashhash | commp hashhash|hashtree memory BYTES SEED")
	}
	byteCount, err := strconv.ParseUint(arguments[2], 10, 40)
	if err != nil {
		return report{}, err
	}
	seed, err := strconv.ParseUint(arguments[3], 10, 64)
	if err != nil {
		return report{}, err
	}
	payload := randomBytes(int(byteCount), seed)
	switch arguments[0] {
	case "hashhash":
		return hashMemory(payload)
	case "hashtree":
		return hashLayers(payload)
	}
	return report{}, fmt.Errorf("no such peer: %s", arguments[0])
}

func reportOf(commp []byte, payloadBytes int64, start time.Time) report {
	return report{Commp: fmt.Sprintf("%x", commp), PayloadBytes: payloadBytes, Seconds: time.Since(start).Seconds()}
}

// randomBytes is the xorshift64 sequence of tools/measure.h, so that all programs hash the same bytes.
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
