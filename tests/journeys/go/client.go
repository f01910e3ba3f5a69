// An ordinary AWS SDK for Go v2, told its endpoint and otherwise nothing but what demo.env says. Prints one JSON object.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const text = "a line of text that hides nothing\n"

var found = map[string]interface{}{}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func said(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return "no error of the service's: " + err.Error()
}

func objects(ctx context.Context, client *s3.Client, bucket string) {
	at := func(name string) (*string, *string) { return aws.String(bucket), aws.String("go/" + name) }
	put := func(name string, body io.Reader) {
		b, k := at(name)
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: body})
		must(err)
	}
	get := func(name string) string {
		b, k := at(name)
		answer, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k})
		must(err)
		body, err := io.ReadAll(answer.Body)
		must(err)
		return string(body)
	}
	put("string", strings.NewReader(text))
	put("odd name+é//..", strings.NewReader(text))
	b, k := at("parts")
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k})
	must(err)
	var done []types.CompletedPart
	for number := int32(1); number <= 2; number++ {
		part, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: k, UploadId: upload.UploadId,
			PartNumber: number, Body: bytes.NewReader([]byte(strings.Repeat(text, 160000)))})
		must(err)
		done = append(done, types.CompletedPart{ETag: part.ETag, PartNumber: number})
	}
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: k,
		UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done}})
	must(err)
	found["string"], found["odd"], found["parts"] = get("string"), get("odd name+é//.."), len(get("parts"))
	listed, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: b, Prefix: aws.String("go/")})
	must(err)
	found["listed"] = listed.KeyCount
	signed, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("go/string")})
	must(err)
	found["presigned"] = signed.URL
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("go/refused")})
	found["refused"] = said(err)
}

func main() {
	ctx, bucket, endpoint := context.Background(), os.Args[1], os.Getenv("AWS_ENDPOINT_URL")
	resolver := aws.EndpointResolverWithOptionsFunc(func(service, region string, options ...interface{}) (aws.Endpoint, error) {
		return aws.Endpoint{URL: endpoint, HostnameImmutable: true, SigningRegion: region}, nil
	})
	settings, err := config.LoadDefaultConfig(ctx, config.WithEndpointResolverWithOptions(resolver))
	must(err)
	objects(ctx, s3.NewFromConfig(settings, func(options *s3.Options) { options.UsePathStyle = true }), bucket)
	item, err := dynamodb.NewFromConfig(settings).GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("customers"),
		Key: map[string]dynamodbtypes.AttributeValue{"id": &dynamodbtypes.AttributeValueMemberS{Value: "c-1"}}})
	must(err)
	found["item"] = item.Item["name"].(*dynamodbtypes.AttributeValueMemberS).Value
	invoked, err := lambda.NewFromConfig(settings).Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("quote"), Payload: []byte("{}")})
	must(err)
	found["invoked"] = string(invoked.Payload)
	machines, err := ec2.NewFromConfig(settings).DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	must(err)
	found["instances"] = len(machines.Reservations)
	secret, err := secretsmanager.NewFromConfig(settings).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/billing/db")})
	must(err)
	found["secret"] = *secret.SecretString
	who, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(err)
	found["account"] = *who.Account
	must(json.NewEncoder(os.Stdout).Encode(found))
}
