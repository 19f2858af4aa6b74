// Command proto writes the Go code of a .proto file beside it, as protoc with protoc-gen-go would: contributors need nothing but Go.
//
//	go run . -root <repository> estimator/wire/pb/request.proto
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	root := flag.String("root", ".", "folder that the file's path begins at")
	flag.Parse()
	for _, file := range flag.Args() {
		if err := generate(*root, file); err != nil {
			fmt.Fprintf(os.Stderr, "error: %s: %v\n", file, err)
			os.Exit(1)
		}
	}
}

// generate compiles one file without imports, and writes what protoc-gen-go makes of it.
func generate(root, file string) error {
	compiler := protocompile.Compiler{
		Resolver: &protocompile.SourceResolver{ImportPaths: []string{root}}, SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(context.Background(), file)
	if err != nil {
		return err
	}
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file},
		Parameter:      proto.String("paths=source_relative"),
		ProtoFile:      []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(compiled[0])},
	})
	if err != nil {
		return err
	}
	for _, f := range plugin.Files {
		internal_gengo.GenerateFile(plugin, f)
	}
	response := plugin.Response()
	if response.Error != nil {
		return fmt.Errorf("generating: %s", response.GetError())
	}
	for _, out := range response.GetFile() {
		if err := os.WriteFile(filepath.Join(root, out.GetName()), []byte(out.GetContent()), 0o644); err != nil { //nolint:gosec // source is read by all
			return err
		}
	}
	return nil
}
