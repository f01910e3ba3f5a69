# An ordinary AWS SDK for Ruby v3, told its endpoint and otherwise nothing but what demo.env says. Prints one JSON object.
require "aws-sdk-s3"
require "json"

TEXT = "a line of text that hides nothing\n"
bucket, large = ARGV
endpoint = ENV.fetch("AWS_ENDPOINT_URL")
s3 = Aws::S3::Client.new(endpoint: endpoint, force_path_style: true)
found = {}
s3.put_object(bucket: bucket, key: "ruby/odd name+é", body: TEXT)
found["odd"] = s3.get_object(bucket: bucket, key: "ruby/odd name+é").body.read
parts = Aws::S3::Resource.new(client: s3).bucket(bucket).object("ruby/parts")
parts.upload_file(large, multipart_threshold: 6 * 1024 * 1024)
found["parts"] = parts.content_length
found["listed"] = s3.list_objects_v2(bucket: bucket, prefix: "ruby/").contents.map(&:key)
found["presigned"] = parts.presigned_url(:get)
found["account"] = Aws::STS::Client.new(endpoint: endpoint).get_caller_identity.account
begin
  s3.get_object(bucket: bucket, key: "ruby/refused")
rescue Aws::S3::Errors::ServiceError => error
  found["refused"] = "#{error.code}: #{error.message}"
end
puts JSON.generate(found)
